//! Foreign keys of tables that a run makes.

use crate::support::{Desk, Side, sides};

/// The child comes first by its name, and refers to what is unique only by a rule.
const FAMILY: &str = "create table parent (id int primary key, code varchar(9) unique);
    create table child (id int primary key, a int references parent (id) on delete cascade on update restrict,
      b varchar(9) references parent (code) on delete set null on update cascade,
      c int default 1 references parent (id) on delete set default, d int references parent (id));
    insert into parent values (1, 'a'), (2, 'b');
    insert into child values (1, 1, 'a', 1, null), (2, 2, 'b', 2, 1)";

const IN_SERVER: &str = "select pg_get_constraintdef(oid) from pg_constraint where contype = 'f' order by conkey";
const IN_FILE: &str = "select concat_ws('|', \"from\", \"table\", \"to\", on_delete, on_update)
    from pragma_foreign_key_list('child') order by \"from\"";

#[test]
fn foreign_keys_go_over_with_what_they_do_to_children() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, FAMILY);
        desk.sync("family", &source.url(&desk), &target.url(&desk), "");
        assert_eq!(desk.run("family").totals(), (4, 0, 0));
        match &target {
            Side::File(_) => assert_eq!(
                target.lines(&desk, IN_FILE),
                [
                    "a|parent|id|CASCADE|RESTRICT",
                    "b|parent|code|SET NULL|CASCADE",
                    "c|parent|id|SET DEFAULT|NO ACTION",
                    "d|parent|id|NO ACTION|NO ACTION",
                ]
            ),
            Side::Server(_) => assert_eq!(
                target.lines(&desk, IN_SERVER),
                [
                    "FOREIGN KEY (a) REFERENCES parent(id) ON UPDATE RESTRICT ON DELETE CASCADE",
                    "FOREIGN KEY (b) REFERENCES parent(code) ON UPDATE CASCADE ON DELETE SET NULL",
                    "FOREIGN KEY (c) REFERENCES parent(id) ON DELETE SET DEFAULT",
                    "FOREIGN KEY (d) REFERENCES parent(id)",
                ]
            ),
        }
        // A code that moves on from one parent to the next, and a parent that loses its children.
        source.run(
            &desk,
            "update child set a = 2, b = null, c = 2, d = null; update parent set code = 'c' where id = 2;
             delete from parent where id = 1; insert into parent values (3, 'b'); update child set b = 'b' where id = 1",
        );
        assert_eq!(desk.run("family").totals(), (1, 3, 1));
        assert_eq!((desk.run("family").totals(), desk.verify_code("family")), ((0, 0, 0), Some(0)));
    }
}
